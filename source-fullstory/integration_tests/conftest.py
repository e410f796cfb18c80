from integration_tests.airbyte import airbyte, engine, image, pytest_terminal_summary

__all__ = ["airbyte", "engine", "image", "pytest_terminal_summary"]
