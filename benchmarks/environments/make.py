"""Set up an environment for each peer, in .venv-bench/PEER at the root of the repository.

    python benchmarks/environments/make.py [PEER ...]

Each is a virtual environment with the pinned packages of PEER.txt beside this file. An index may
serve PyTorch with several GB of CUDA libraries; for the CPU build, which is what is measured, name
PyTorch's own index of CPU wheels in PIP_EXTRA_INDEX_URL, or a folder that holds the wheel in
PIP_FIND_LINKS: pip then prefers it, as its version carries a `+cpu`.
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
        sys.exit(f"No such peer: {', '.join(unknown)}. Choose from {', '.join(known)}.")
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
        sys.exit(f"Could not install {', '.join(failed)}; pip says above why.")


if __name__ == "__main__":
    main()
