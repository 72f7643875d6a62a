"""View models: pure functions from data to what is shown. Templates only print them."""
