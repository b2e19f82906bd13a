"""Dollars for tokens; a price nobody knows is None, never zero."""

from decimal import Decimal


def dollars(model: str, input_tokens: float, output_tokens: float) -> float | None:
    """What so many tokens of `model` cost, None where the price is not known; prefixes (`openai/gpt-5`) are tried too.

    Prices are those that genai-prices ships.
    """
    from genai_prices import Usage, calc_price  # 0.2 s to import, and only for people who look at money

    usage = Usage(input_tokens=round(input_tokens), output_tokens=round(output_tokens))
    for name in dict.fromkeys((model, model.rpartition("/")[2])):
        try:
            price: Decimal = calc_price(usage, name).total_price
        except LookupError:
            continue
        return float(price)
    return None
