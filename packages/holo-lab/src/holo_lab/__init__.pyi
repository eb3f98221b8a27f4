from ._version import (
    __version__ as __version__,
)
from .report.report import (
    write_report as write_report,
)
from .report.training import (
    TrainingReport as TrainingReport,
    write_training_report as write_training_report,
)
