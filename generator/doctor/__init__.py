"""`bakestone doctor`: is everything that the lock names still there, and can this machine build?"""
