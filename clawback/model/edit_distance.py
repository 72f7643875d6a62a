"""How far apart two texts are."""


def edit_distance(text: str, other: str) -> int:
    """Count the edits between two texts: optimal string alignment."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for at, char in enumerate(text, 1):
        before, above, row = row, before, [at]
        for to, wanted in enumerate(other, 1):
            cost = min(before[to] + 1, row[to - 1] + 1, before[to - 1] + (char != wanted))
            if at > 1 and to > 1 and char == other[to - 2] and text[at - 2] == wanted:
                cost = min(cost, above[to - 2] + 1)
            row.append(cost)
    return row[-1]
