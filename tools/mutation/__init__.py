"""Mutation of the RTL: do the committed golden vectors notice a changed gate?"""
