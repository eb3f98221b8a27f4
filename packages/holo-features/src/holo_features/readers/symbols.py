"""Chemical elements by their symbols."""

__all__ = ["ELEMENTS", "HYDROGENS", "METALS"]

# The isotopes of hydrogen have their own symbols in structure files.
HYDROGENS = ("H", "D", "T")

ELEMENTS = frozenset(
    """H D T He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr
    Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu
    Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu Am Cm Bk Cf Es Fm Md No Lr Rf Db Sg
    Bh Hs Mt Ds Rg Cn Nh Fl Mc Lv Ts Og""".upper().split()
)

# Metalloids, which do not occur as ions in structures, count as nonmetals.
METALS = ELEMENTS - frozenset(
    "H D T He B C N O F Ne Si P S Cl Ar Ge As Se Br Kr Sb Te I Xe At Rn Ts Og".upper().split()
)
