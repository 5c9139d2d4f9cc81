"""What kombu_impl and celery_impl both stand on, as kombu and Celery both stand on py-amqp.

`connection.py` reads and closes such a connection; `hardening.py` keeps hostile messages and silent brokers from
doing harm.
"""
