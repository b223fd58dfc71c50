"""Configuration of the Sphinx documentation."""

import os
from importlib import metadata

# Render figures with the same backend on every machine.
os.environ.setdefault("MPLBACKEND", "Agg")

project = "skrnn"
author = "the skrnn developers"
copyright = "2026, the skrnn developers"
release = version = metadata.version("skrnn")

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "myst_parser",
    "sphinx_gallery.gen_gallery",
]
templates_path = ["_templates"]
exclude_patterns = [
    "_build",
    "**/.pytest_cache",
    "auto_examples/**/*.ipynb",
    "auto_examples/**/*.py",
]
# Link `RNNRegressor` to its page; names without a page are shown as code.
default_role = "autolink"
add_module_names = False
# Docstrings describe the types in words.
autodoc_typehints = "none"

autosummary_generate = True
numpydoc_class_members_toctree = False
numpydoc_show_class_members = False

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"[/\\]plot_",
    "ignore_pattern": r"^(?!plot_)",
    "backreferences_dir": "api/generated/examples",
    "doc_module": ("skrnn",),
    "show_memory": False,
    "show_signature": False,
}

html_theme = "pydata_sphinx_theme"
html_title = f"skrnn {version}"
html_show_sourcelink = False
html_theme_options = {
    "navbar_align": "left",
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}
