"""The other ways of doing the job, as a careful user of each would write them."""
