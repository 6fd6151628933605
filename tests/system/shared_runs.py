"""Simulates the small data set and trains on it once, for all other system tests."""
import shutil
import sys

import support


def main():
    shutil.rmtree(support.WORK, ignore_errors=True)
    support.SIMULATED.parent.mkdir(parents=True)
    simulated = support.run("masksc_simulate", "--cells", support.CELLS, "--genes", support.GENES, "--groups",
                            support.GROUPS, "--seed", 3, "--de-probability", 0.6, "--de-location", 1.2, "--output",
                            support.SIMULATED, ranks=1)
    print(simulated)
    if any(simulated.codes):
        return 1
    trained = support.train(support.BASE, "--report", "yes")
    print(trained)
    return 1 if any(trained.codes) else 0


if __name__ == "__main__":
    sys.exit(main())
