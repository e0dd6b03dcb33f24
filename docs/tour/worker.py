"""Sends what was ordered, as soon as PostgreSQL says that there is something."""
import select

import shop

database = shop.connect()
cursor = database.cursor()
cursor.execute("LISTEN orders")
while True:
    cursor.execute("UPDATE orders SET state = 'sent' WHERE state = 'taken' RETURNING id")
    for (number,) in cursor.fetchall():
        print("sent", number, flush=True)
    select.select([database], [], [])
    database.poll()
    database.notifies.clear()
