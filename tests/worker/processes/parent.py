"""A supervisor in a process of its own; its arguments: configuration, processes, stop_timeout."""

import logging
import sys
from pathlib import Path

from callspool_worker.processes.supervisor import Supervisor

SIMPLE_CHILD = (sys.executable, "-S", "-P", str(Path(__file__).with_name("simple_child.py")))


def main() -> int:
    logging.basicConfig(level=logging.INFO)
    config, processes, stop_timeout = sys.argv[1:]
    supervisor = Supervisor(
        SIMPLE_CHILD,
        config=config.encode(),
        processes=int(processes),
        stop_timeout=float(stop_timeout),
    )
    code = supervisor.run()
    sys.stdout.write(f"failure: {supervisor.failure}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
