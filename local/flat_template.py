"""Prints a template without anchors and merge keys, as SAM hands it to CloudFormation: flat_template.py TEMPLATE.

checkov reads no merge keys. SAM's own parser resolves them here, so that it checks what is deployed.
"""

import pathlib
import sys

from samcli.yamlhelper import yaml_dump, yaml_parse

sys.stdout.write(yaml_dump(yaml_parse(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"))))
