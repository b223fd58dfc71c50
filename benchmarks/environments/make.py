"""Create a virtual environment for each peer library, in .venv-bench/PEER of the repository.

    python benchmarks/environments/make.py [PEER ...]

The packages are pinned in PEER.txt in the directory of this script. The benchmarks use the CPU
build of PyTorch. The default build on some package indexes includes several GB of CUDA libraries.
To install the CPU build, set PIP_EXTRA_INDEX_URL to PyTorch's index of CPU wheels, or
PIP_FIND_LINKS to a folder that contains the wheel. pip prefers the CPU build because its version
has the suffix `+cpu`.
"""

import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
ENVIRONMENTS = HERE.parents[1] / ".venv-bench"


def main():
    known = sorted(path.stem for path in HERE.glob("*.txt"))
    peers = sys.argv[1:] or known
    if unknown := sorted(set(peers) - set(known)):
        sys.exit(f"Unknown peer: {', '.join(unknown)}. Available: {', '.join(known)}.")
    failed = []
    for peer in peers:
        requirements, folder = HERE / f"{peer}.txt", ENVIRONMENTS / peer
        stamp = folder / ".ready"
        if stamp.exists() and stamp.read_text() == requirements.read_text():
            print(f"{peer}: up to date")
            continue
        print(f"{peer}: installing", flush=True)
        venv.create(folder, with_pip=True, clear=True)
        pip = [folder / "bin" / "python", "-m", "pip", "install", "-q", "-r", requirements]
        if subprocess.run(pip).returncode:
            failed.append(peer)
        else:
            stamp.write_text(requirements.read_text())
    if failed:
        sys.exit(f"Could not install {', '.join(failed)}; see the output of pip above.")


if __name__ == "__main__":
    main()
