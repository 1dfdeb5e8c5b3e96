"""The other ways of doing the job, as fast as their own documentation makes them."""
