"""A clear error for pickles of earlier versions, which name modules that no longer exist."""

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
    """Raise an ImportError for the modules of earlier versions that pickles name."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> None:
        """Return None for all other modules: they do not exist."""
        if name in _MODULES:
            raise ImportError(
                f"{name} is a module of an earlier version of skrnn. Pickles of fitted estimators "
                "of that version cannot be loaded: fit the estimator again, or load it with the "
                "version that it was fitted with.",
                name=name,
            )


def install_finder() -> None:
    """Add the finder behind those of Python, unless it is there."""
    if LegacyModuleFinder not in sys.meta_path:
        sys.meta_path.append(LegacyModuleFinder)
