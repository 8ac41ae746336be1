"""Notices: what the market tells each household, in the pages and by e-mail (docs/notices.md).

    events -> rules.notices_of -> book.NoticeBook -> inbox page
                                        |
                                        v
                                     outbox -> sending.keep_sending -> mail.Mailer

`rules` is pure. `following` turns events into rows in one database transaction with the place on
the ledger it has come to, so that a restart neither repeats nor forgets a notice. `sending` takes
what is due out of the outbox. Texts are `gateway.web.notice_texts`.
"""
