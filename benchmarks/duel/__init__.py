"""The same contacts, faults and kills for several ways of doing the job, side by side."""
