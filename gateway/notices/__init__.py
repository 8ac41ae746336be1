"""Notices: what the market tells each household, and the ways it does (docs/notices.md).

    events, alarms -> rules -> book.NoticeBook -> inbox page
                                    |
                                    v
                                 outbox -> sending.Sending -> delivery: mail, webhooks

`rules` is pure. `following` turns events into rows in one database transaction with the place on
the ledger it has come to, so that a restart neither repeats nor forgets a notice. `sending` takes
what is due out of the outbox. Texts are `gateway.web.notice_texts`.
"""
