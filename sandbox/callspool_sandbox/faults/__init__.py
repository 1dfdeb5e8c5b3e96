"""Misbehaviour on request: what a fault file may say, when a fault fires, what it does."""
