"""Tests in a real JupyterLab and a real Chromium; the harness makes both."""
