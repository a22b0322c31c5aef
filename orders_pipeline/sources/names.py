"""What senders usually call the columns of an order, for a draft of a declaration. Landing never guesses by these."""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from orders_pipeline.schema import ORDER_COLUMNS

# Exports of shops whose names mean something else elsewhere: the names that tell them, and what they mean there.
_SHOPS: Final[Sequence[tuple[frozenset[str], Mapping[str, str]]]] = (
    (  # Shopify
        frozenset({"name", "financialstatus", "createdat"}),
        {"order_id": "name", "customer_id": "email", "amount": "total", "order_date": "createdat"},
    ),
    (  # Shopify's API: `name` is shown to customers, and `id` is unique
        frozenset({"id", "totalprice", "createdat"}),
        {"order_id": "id", "customer_id": "customerid", "amount": "totalprice", "order_date": "createdat"},
    ),
    (  # Stripe
        frozenset({"id", "createdutc", "amount"}),
        {"order_id": "id", "customer_id": "customerid", "amount": "amount", "order_date": "createdutc"},
    ),
    (  # WooCommerce's API
        frozenset({"id", "datecreated", "total"}),
        {"order_id": "id", "customer_id": "customerid", "amount": "total", "order_date": "datecreated"},
    ),
)
# The best first: without case, accents, spaces and punctuation. English, German, Spanish, French.
_USUAL: Final[Mapping[str, str]] = {
    "order_id": "orderid ordernumber orderno ordernr ordername amazonorderid merchantorderid saleid receiptid"
    " salesrecordnumber bestellnummer bestellnr bestellid bestellungsnummer auftragsnummer auftragsnr auftragsid"
    " numerodepedido numeropedido numpedido nopedido npedido idpedido pedidoid pedido"
    " numerodecommande numerocommande numcommande nocommande ncommande idcommande referencecommande commande"
    " transactionid chargeid paymentid invoiceid invoicenumber invoiceno rechnungsnummer rechnungsnr factura"
    " numerodefactura facture numerodefacture bestellung auftrag order belegnummer belegnr belegid reference number"
    " nummer numero id orderuuid uuid",
    "customer_id": "customerid customernumber customerno clientid buyerid buyeruserid buyerusername userid accountid"
    " memberid contactid customer client buyer kundennummer kundennr kundenid kundeid kunde kaeuferid kauferid kaufer"
    " kaeufer numerodecliente numerocliente idcliente clienteid cliente comprador numeroclient numerodeclient idclient"
    " acheteur customeremail buyeremail useremail billingemail emailcliente emailclient emailaddress email correo"
    " courriel username user customername buyername kundenname",
    "amount": "amount ordertotal totalamount orderamount grandtotal totalprice totalpaid amountpaid saletotal total"
    " grosstotal grossamount gross revenue itemprice itemtotal linetotal lineamount price gesamtbetrag gesamtsumme"
    " gesamtpreis bestellwert rechnungsbetrag bruttobetrag betrag gesamt summe brutto umsatz preis importetotal importe"
    " totalpedido preciototal precio monto valor montanttotal montantttc montant totalttc prixtotal prix value sum",
    "order_date": "orderdate datecreated createdat createdutc createddate created purchasedate purchasedat saledate"
    " soldat ordereddate orderedat orderdatetime ordertime placedat bestelldatum bestelltam bestellzeit"
    " bestellzeitpunkt auftragsdatum kaufdatum fechadelpedido fechadepedido fechapedido fechadecompra fechacompra"
    " datedecommande datecommande datedachat dateachat transactiondate paymentdate paidat invoicedate rechnungsdatum"
    " erstelltam belegdatum timestamp datetime date datum fecha time",
    "updated_at": "updatedat lastupdated lastupdatedate lastmodified datemodified modifiedat geandertam"
    " aktualisiertam actualizadoel modifiele",
}
_STATUS: Final = re.compile(r".*status|state|statut|estado|zustand")
_ITEM: Final = re.compile(
    r".*(?:sku|item|product|artikel|articulo|article|position|quantity|menge|quantite|cantidad).*"
)


def guess_columns(names: Sequence[str]) -> dict[str, str]:
    """For each column of an order that one of these names may be, that name. The own names come first."""
    bare: dict[str, str] = {}
    for name in names:
        for form in _forms(name):
            bare.setdefault(form, name)
    own = {name.strip().casefold(): name for name in reversed(names)}
    shop = next((usual for needed, usual in _SHOPS if needed <= bare.keys()), {})
    found: dict[str, str] = {}
    for column in ORDER_COLUMNS:
        known = [shop[column]] if column in shop else []
        candidates = (bare[form] for form in [*known, *_USUAL[column].split()] if form in bare)
        free = (
            name for name in candidates if name not in found.values() and name.strip().casefold() not in ORDER_COLUMNS
        )
        if guess := own.get(column) or next(free, None):
            found[column] = guess
    return found


def status_column(names: Sequence[str]) -> str | None:
    """The column that may say which orders are paid, cancelled and so on."""
    return next((name for name in names if _STATUS.fullmatch(_bare(name))), None)


def names_items(names: Sequence[str]) -> bool:
    """Whether a column may be of the items of an order."""
    return any(_ITEM.fullmatch(_bare(name)) for name in names)


def _forms(name: str) -> Iterator[str]:
    """The forms under which a name is looked up: whole, without what is in brackets, and of a nested one its last two
    parts."""
    yield _bare(name)
    yield _bare(re.sub(r"\(.*?\)|\[.*?\]", "", name))
    if name.count(".") > 1:
        yield _bare(".".join(name.split(".")[-2:]))


def _bare(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name.casefold())
    return re.sub(r"[\W_]", "", "".join(letter for letter in plain if not unicodedata.combining(letter)))
