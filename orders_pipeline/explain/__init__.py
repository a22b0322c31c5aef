"""Why a day, an order or a file is as it is: `orders-pipeline explain`. Nothing here changes anything."""
