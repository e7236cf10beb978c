"""The DMP of the sandbox: ITI-41 (TD2.1) and the existence test TD0.2, checked as strictly as the real one.

Road of a request: server (HTTPS) -> mtom (MIME, XOP) -> soap (envelope, WS-Addressing) -> vihf (SAML) ->
the transaction (submit, td02) -> store. `transactions.py` is where another transaction is added.
"""
