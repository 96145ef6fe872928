"""What a variant has to pass: rules, terms, ends of life, profiles."""
