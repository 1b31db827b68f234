"""Tests of the gateway, over a real socket."""
