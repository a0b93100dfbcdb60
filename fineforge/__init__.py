"""fineforge: plan and apply fine-tuned models on Azure Machine Learning.

Importing this package is free of side effects and of heavy imports: neither `azure` nor `torch` nor `pydantic` is loaded.
The library API is `fineforge.engine.planned`; the command line is `fineforge.cli`.
"""

__version__ = "0.1.0"
