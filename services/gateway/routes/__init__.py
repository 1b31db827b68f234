"""Routes: one file for each group of HTTP calls; app.py lists their routers."""
