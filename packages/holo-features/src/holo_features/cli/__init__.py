"""The commands of holo-features, one in each module.

biotite, h5py and scipy are imported by the commands when they run, so that ``--help`` is quick.
"""
