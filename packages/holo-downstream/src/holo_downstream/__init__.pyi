from ._version import (
    __version__ as __version__,
)

# Binding affinities: labels, predictors of complexes, and a study of vectors with its predictor.
from .affinity.comparison import (
    Comparison as Comparison,
    compare_studies as compare_studies,
    write_comparison as write_comparison,
)
from .affinity.complex_predictor import (
    ComplexPredictor as ComplexPredictor,
    FlaggedPredictions as FlaggedPredictions,
    read_complex_predictor as read_complex_predictor,
    write_complex_predictor as write_complex_predictor,
)
from .affinity.cross_fit import (
    CrossFit as CrossFit,
    CrossFitSettings as CrossFitSettings,
    cross_fit as cross_fit,
)
from .affinity.features import (
    FeatureTable as FeatureTable,
)
from .affinity.labels import (
    LabelColumns as LabelColumns,
    Labeled as Labeled,
    LabelTable as LabelTable,
    read_labels as read_labels,
    with_ligand_keys as with_ligand_keys,
)
from .affinity.predictor import (
    Predictions as Predictions,
    Predictor as Predictor,
    read_predictor as read_predictor,
    write_predictions as write_predictions,
)
from .affinity.study import (
    Study as Study,
    StudySettings as StudySettings,
    run_study as run_study,
)
from .affinity.study_files import (
    write_study as write_study,
)
from .datasets import (
    example_series as example_series,
)

# What vectors encode: probes, classes, clusters, retrieval.
from .probes.classification import (
    knn_accuracy as knn_accuracy,
    linear_accuracy as linear_accuracy,
)
from .probes.clustering import (
    ClusterScores as ClusterScores,
    cluster_scores as cluster_scores,
    kmeans_clusters as kmeans_clusters,
)
from .probes.probes import (
    Probe as Probe,
    ProbeResult as ProbeResult,
    ProbeTable as ProbeTable,
    probe as probe,
    probe_embeddings as probe_embeddings,
)
from .probes.regularization import (
    best_regularization as best_regularization,
)
from .probes.retrieval import (
    RetrievalScores as RetrievalScores,
    ranked_lists as ranked_lists,
    retrieval_scores as retrieval_scores,
)
from .probes.shrec17 import (
    read_ranked_lists as read_ranked_lists,
    write_ranked_lists as write_ranked_lists,
)
from .probes.table import (
    write_probes as write_probes,
)

# Search for similar residues and sites.
from .search.building import (
    build_search_index as build_search_index,
)
from .search.index import (
    SearchIndex as SearchIndex,
)
from .search.index_files import (
    read_search_index as read_search_index,
    with_clusters as with_clusters,
    write_search_index as write_search_index,
)
from .search.neighbors import (
    Neighbors as Neighbors,
    neighbor_table as neighbor_table,
    search_residues as search_residues,
    write_neighbors as write_neighbors,
)
from .search.residues import (
    select_site as select_site,
)
from .search.sites import (
    SiteHit as SiteHit,
    SiteHits as SiteHits,
    search_sites as search_sites,
    write_site_hits as write_site_hits,
)

# Effects of amino acid substitutions on stability.
from .stability.fitting import (
    StabilityFit as StabilityFit,
    fit_stability as fit_stability,
)
from .stability.kernels import (
    KernelSettings as KernelSettings,
)
from .stability.predictor import (
    StabilityChanges as StabilityChanges,
    StabilityPredictor as StabilityPredictor,
    read_stability_predictor as read_stability_predictor,
    write_stability_predictor as write_stability_predictor,
)
from .stability.substitutions import (
    Columns as Columns,
    Substitutions as Substitutions,
)

# Evaluation: splits, scores, intervals, tests.
from .validation.bootstrap import (
    Interval as Interval,
    bootstrap_mean as bootstrap_mean,
)
from .validation.splits import (
    leak_check as leak_check,
    split_by_cluster as split_by_cluster,
)
from .validation.statistics import (
    PairedTest as PairedTest,
    RegressionScores as RegressionScores,
    paired_test as paired_test,
    regression_scores as regression_scores,
    score_by_group as score_by_group,
    scores_by_family as scores_by_family,
)

# One vector per complex, or per residue.
from .vectors.embedding_files import (
    read_embeddings as read_embeddings,
)
from .vectors.grouping import (
    pool_groups as pool_groups,
)
from .vectors.scaling import (
    Scaling as Scaling,
    effective_dimension as effective_dimension,
    standardization as standardization,
    whitening as whitening,
)
from .vectors.similarity import (
    similarities as similarities,
)
from .vectors.spectra import (
    full_power_spectrum as full_power_spectrum,
    power_spectrum as power_spectrum,
    scalar_coefficients as scalar_coefficients,
)
from .vectors.tables import (
    Source as Source,
    VectorTable as VectorTable,
    pool as pool,
    read_vectors as read_vectors,
    set_beside as set_beside,
)
from .vectors.transformers import (
    BagPooling as BagPooling,
)
from .vectors.writing import (
    write_vectors as write_vectors,
)
