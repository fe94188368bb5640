import urllib.request

assert b"from Python" in urllib.request.urlopen("http://127.0.0.1:8000").read()
