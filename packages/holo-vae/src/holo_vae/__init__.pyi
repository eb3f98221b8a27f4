from ._version import (
    __version__ as __version__,
)
from .client import Service as Service
from .data.batches import (
    data_scale as data_scale,
    open_rows as open_rows,
    split_by_group as split_by_group,
)
from .data.clusters import (
    ClusterColumns as ClusterColumns,
)
from .data.opening import read_holograms as read_holograms
from .embedding import (
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
    mean_hologram_cosine_loss as mean_hologram_cosine_loss,
    reconstruction as reconstruction,
)
from .filling import (
    FilledIn as FilledIn,
    fill_in as fill_in,
    imprint as imprint,
)
from .generation.coverage import Coverage as Coverage, coverage as coverage
from .generation.densities import sample_fitted as sample_fitted
from .generation.sample_scores import SampleScores as SampleScores, score_samples as score_samples
from .generation.sampling import (
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
    describe as describe,
)
from .networks.loading import (
    load as load,
    shipped_models as shipped_models,
)
from .networks.model import Model as Model
from .networks.network import HolographicAutoencoder as HolographicAutoencoder
from .networks.reference import (
    import_reference as import_reference,
)
from .networks.row_losses import row_cosine_losses as row_cosine_losses
from .networks.storage import write_model as write_model
from .recipes.data import MnistData as MnistData, ShapeData as ShapeData, StructureData as StructureData
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
from .recipes.views import ViewsConfig as ViewsConfig
from .run import (
    TrainingRun as TrainingRun,
    initial_classifier as initial_classifier,
    initial_model as initial_model,
    run_training as run_training,
)
from .training.checkpoints import Epoch as Epoch
from .training.engine import (
    Step as Step,
    train as train,
)
from .training.objectives import Objective as Objective
