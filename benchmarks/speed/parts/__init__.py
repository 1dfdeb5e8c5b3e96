"""One part of the benchmark a module: ``run(options, tell)`` gives its outcome."""
