from ._version import (
    __version__ as __version__,
)
from .data.batches import (
    Rows as Rows,
    Split as Split,
    data_scale as data_scale,
    dataset_digest as dataset_digest,
    open_rows as open_rows,
    split_by_group as split_by_group,
)
from .data.clusters import (
    ClusterColumns as ClusterColumns,
)
from .data.opening import read_holograms as read_holograms
from .embedding import (
    EmbeddedStructure as EmbeddedStructure,
    embed as embed,
    embed_complexes as embed_complexes,
    embed_holograms as embed_holograms,
    embed_structures as embed_structures,
)
from .evaluation.equivariance import (
    EquivarianceErrors as EquivarianceErrors,
    equivariance_errors as equivariance_errors,
)
from .evaluation.evaluate import Evaluation as Evaluation, evaluate as evaluate
from .evaluation.latent_scores import LatentScores as LatentScores, latent_scores as latent_scores
from .evaluation.reconstruction import (
    Reconstruction as Reconstruction,
    mean_hologram_cosine as mean_hologram_cosine,
    reconstruction as reconstruction,
)
from .evaluation.sample_scores import SampleScores as SampleScores, score_samples as score_samples
from .evaluation.sampling import (
    canonical as canonical,
    interpolate as interpolate,
    sample_posterior as sample_posterior,
    sample_prior as sample_prior,
    to_canonical_frame as to_canonical_frame,
    traverse as traverse,
)
from .networks.classifier import (
    Classifier as Classifier,
    TrainedClassifier as TrainedClassifier,
)
from .networks.description import (
    Description as Description,
    describe as describe,
)
from .networks.loading import (
    load as load,
    load_model as load_model,
    shipped_models as shipped_models,
)
from .networks.model import (
    Model as Model,
    read_model as read_model,
    write_model as write_model,
)
from .networks.network import (
    Encoding as Encoding,
    HolographicAutoencoder as HolographicAutoencoder,
)
from .networks.reference import (
    import_reference as import_reference,
)
from .recipes.model import (
    ClassifierConfig as ClassifierConfig,
    Condition as Condition,
    ModelConfig as ModelConfig,
)
from .recipes.recipe import Recipe as Recipe, read_recipe as read_recipe, write_recipe as write_recipe
from .recipes.shipped import (
    find_recipe as find_recipe,
    recipe_names as recipe_names,
)
from .recipes.training import TrainingConfig as TrainingConfig
from .run import (
    TrainingRun as TrainingRun,
    default_recipe as default_recipe,
    initial_classifier as initial_classifier,
    initial_model as initial_model,
    run_training as run_training,
)
from .training.engine import (
    Epoch as Epoch,
    Step as Step,
    train as train,
)
