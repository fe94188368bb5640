"""Asks the web server again and again: it is there whenever this runs."""

import time
import urllib.request

while True:
    print(urllib.request.urlopen("http://web:8000").read().decode().strip(), flush=True)
    time.sleep(1)
