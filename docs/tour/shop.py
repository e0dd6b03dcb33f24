"""What the API and the worker share: the database."""
import os

import psycopg2


def connect():
    with open(os.environ["DB_PASSWORD_FILE"], encoding="utf-8") as file:
        password = file.read().strip()
    connection = psycopg2.connect(host=os.environ["DB_HOST"], dbname="shop", user="shop", password=password)
    connection.autocommit = True
    return connection
