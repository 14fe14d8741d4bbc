-- Values of the text fields of a Raise gift that the setting `transaction_id_fields` names; none by default.
{%- set columns = transaction_id_columns() | reject('equalto', 'gift_id') | list %}
with gifts as (
    select
        organization,
        donation_id,
        transaction_id
    from {{ ref('stg_raise__gifts') }}
    {% if not columns %} where false {% endif %}
),

field_values as (
    {% for column in columns or ['transaction_id'] -%}
        select
            organization,
            '{{ column }}' as field,
            {{ fold_text(column) }} as raise_key
        from gifts
        {% if not loop.last -%} union all {% endif %}
    {%- endfor %}
),

counts as (
    select
        organization,
        raise_key,
        field,
        count(*) as gift_count
    from field_values
    where raise_key is not null
    group by organization, raise_key, field
)

select
    organization,
    raise_key,
    {{ transaction_shape('raise_key') }} as shape,
    min(gift_count) = 1 as is_of_one_gift
from counts
group by organization, raise_key
