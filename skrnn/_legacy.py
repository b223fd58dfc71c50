"""Error message for pickles of earlier versions, which contain names of removed modules."""

import sys

# Modules of version 0.1 with classes whose instances fitted estimators or displays contain.
_MODULES = {
    f"skrnn.{name}"
    for name in (
        "_network",
        "_panel_model",
        "_panels",
        "_scales",
        "_strategies",
        "gradient_flow",
        "next_char",
        "sktime_classification",
    )
}


class LegacyModuleFinder:
    """Raise an ImportError for the modules of earlier versions that pickles refer to."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> None:
        """Return None for other modules, which do not exist."""
        if name in _MODULES:
            raise ImportError(
                f"{name} is a module of an earlier version of skrnn. Pickles of fitted estimators "
                "of that version cannot be loaded: fit the estimator again, or load it with the "
                "version that it was fitted with.",
                name=name,
            )


def install_finder() -> None:
    """Append the finder to those of Python, unless it has been added."""
    if LegacyModuleFinder not in sys.meta_path:
        sys.meta_path.append(LegacyModuleFinder)
