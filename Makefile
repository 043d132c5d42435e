# The commands in short. Tests run in as many processes as there are cores, four at most (pyproject.toml).
.PHONY: quick test host lint format ci

quick:  # what neither fits, draws nor needs ComfyUI
	pytest -m quick

test:  # everything but ComfyUI
	pytest -m "not host"

host:  # inside a real ComfyUI; tests/hosts/comfyui/conftest.py says where it is looked for
	pytest -m host

lint:
	ruff check
	ruff format --check
	pyright

format:
	ruff check --fix
	ruff format

ci:  # everything, in a fresh virtual environment
	.ci/run
