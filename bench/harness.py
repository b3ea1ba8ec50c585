"""bench/run as a module, for the other measurements: one origin, one peer, its load."""
import importlib.machinery
import importlib.util
import os
import subprocess
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
_loader = importlib.machinery.SourceFileLoader("bench_run", os.path.join(HERE, "run"))
_spec = importlib.util.spec_from_loader("bench_run", _loader)
run = importlib.util.module_from_spec(_spec)
_loader.exec_module(run)


def options(parser, unpinned=False):
    """The options every measurement has; gives what bench/run's Bench wants."""
    parser.add_argument("--only", default="proxyd,nginx,haproxy,floor-epoll",
                        help="peers, comma separated (%(default)s)")
    parser.add_argument("--base-port", type=int, default=23000)
    parser.add_argument("--ports", type=int, default=900)
    parser.add_argument("--results", default=os.path.join(HERE, "results"))
    parser.add_argument("--keep", action="store_true", help="keep the scratch folder")
    opt = parser.parse_args()
    opt.workers, opt.unpinned = 1, unpinned
    os.makedirs(opt.results, exist_ok=True)
    subprocess.run(["make", "-s", "-C", os.path.join(HERE, "src")], check=True)
    return opt


def each(opt, workload):
    """(bench, peer, workload) of every peer that does this workload, one after the other."""
    wl = run.WORKLOADS[workload]
    bench = run.Bench(opt)
    try:
        for name in opt.only.split(","):
            peer = bench.start(name, wl, workload)
            if peer:
                yield bench, peer, wl
                run.stop_tree(peer["root"])
    finally:
        bench.close()
