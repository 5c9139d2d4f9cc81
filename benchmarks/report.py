from pathlib import Path


def summarise(path: Path) -> None:
    print(path)
