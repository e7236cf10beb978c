"""INSi, the national service that gives the INS for the traits of a person (spec dmp §5)."""
