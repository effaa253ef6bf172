"""The page of the zoo: what each network leaves on the host."""
