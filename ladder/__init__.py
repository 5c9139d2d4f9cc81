"""From the tutorial's fifty lines to `raw_pika`, in steps that add one idea each. docs/ladder.md is the page.

Each step is a package that runs (`python -m ladder.step3.rpc_server`) and that the suite can be asked about
(`pytest --backend ladder.step3`). Steps are for reading and measuring; a program should begin at `raw_pika`.
"""
