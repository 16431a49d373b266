"""Forwards `python3 -m utils.chatglm_api` to planner/chatglm_server.py."""

import sys

from planner.chatglm_server import main

if __name__ == "__main__":
    sys.exit(main())
