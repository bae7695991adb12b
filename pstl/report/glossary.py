"""What the words at the heads of tables mean: said beside them, and under the table."""

from pstl.report import alike, flags, floors

TERMS = {
    "but": "; ".join(f"{flag.name}: {flag.meaning}" for flag in flags.ALL),
    "std": "sample standard deviation over seeds",
    "95 % interval": (
        "where the mean would lie with other seeds (Student's t, several seeds) or, where they "
        "give one number, with other test clips (Wilson); never outside 0 to 100"
    ),
    floors.MINUS["raw"]: (
        "points over the coordinates of the same recipe and stream, used as features"
    ),
    floors.MINUS["untrained"]: "points over the same encoder untrained, of the same seeds",
    alike.MINUS: "the last epoch's number shown here minus the published one",
    alike.LIKE: "our number of the kind that theirs is (epoch, batch norm) minus theirs",
    "batch norm": (
        "recalibrated: statistics of the training clips taken anew; released: as training left "
        "them, which is what papers test with"
    ),
    "p": "two-sided chance of such a difference if the two were alike (paired bootstrap)",
    "a − b": "points by which a is better than b on the same test clips",
}
