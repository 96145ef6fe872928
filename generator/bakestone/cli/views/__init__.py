"""What commands print: records in, tables, sentences and JSON out."""
