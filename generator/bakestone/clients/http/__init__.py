"""HTTP: one session, one set of reasons why a host gives no answer."""
