"""Finds and reads `safety.yml`, in the folder of rules or where `CLAWBACK_SAFETY` says.

Outside of the folder, others may own it than those who write rules. There are never two.
"""

from pathlib import Path

from clawback.rules.source.documents import read_model
from clawback.rules.source.errors import Code, Place, Problems
from clawback.rules.source.rule_files import read_file_documents
from clawback.rules.source.safety import Safety

SAFETY = "safety.yml"
"""Its name in a folder of rules."""
_SETTING = "CLAWBACK_SAFETY"


def is_safety_slip(path: Path) -> bool:
    """Whether a file is meant to be the safety document by its name, such as `Safety.yaml`."""
    name = path.name.lower()
    return path.name != SAFETY and name in {SAFETY, Path(SAFETY).with_suffix(".yaml").name}


def load_safety(folder: Path, outside: Path | None) -> Safety:
    """Read the safety document alone.

    Raises:
        RuleErrors: it is missing, there are two, or it has problems.

    """
    problems = Problems()
    safety = read_safety(folder, outside, problems)
    problems.raise_if_any()
    return safety


def read_safety(folder: Path, outside: Path | None, problems: Problems) -> Safety:
    """Read the safety document of a folder of rules; the defaults, and problems, if it has any.

    `outside` is the file named by the setting; None if the folder holds it.
    """
    own = folder / SAFETY
    slips = sorted(path.name for path in folder.iterdir() if is_safety_slip(path))
    for name in slips:
        is_spare = own.exists() or outside is not None
        remedy = "remove it" if is_spare else f"rename it to {SAFETY}"
        problems.add(Place(name), Code.SAFETY, "the file is not read by this name", remedy=remedy)

    if slips and outside is None and not own.exists():
        return Safety()
    if outside is None:
        return _read(
            own, SAFETY, f"add one, in which {{}} takes the defaults, or set {_SETTING}", problems
        )

    if own.exists():
        problems.add(
            Place(SAFETY),
            Code.SAFETY,
            f"there are two: {_SETTING} names {outside}",
            remedy=f"remove this one, or unset {_SETTING} to use it",
        )
    return _read(outside, str(outside.absolute()), f"correct {_SETTING}", problems)


def _read(file: Path, shown: str, remedy: str, problems: Problems) -> Safety:
    if not file.exists():
        problems.add(Place(shown), Code.SAFETY, "safety.yml is missing", remedy=remedy)
        return Safety()

    documents = read_file_documents(file.parent, file.name, problems, shown)
    if len(documents) > 1:
        problems.add(
            documents[1].place,
            Code.SAFETY,
            "safety.yml has more than one document",
            remedy="remove the second one",
        )

    return (read_model(Safety, documents[0], problems) if documents else None) or Safety()
