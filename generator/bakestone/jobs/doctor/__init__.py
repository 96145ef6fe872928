"""`doctor`: is all there that a build will ask for?"""
