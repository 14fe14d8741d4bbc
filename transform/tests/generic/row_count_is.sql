{#- The table has as many rows as another one tells: nothing was lost or doubled between them. -#}
{% test row_count_is(model, counted_in, counts='count(*)') %}

select *
from (
    select
        (select count(*) from {{ model }}) as rows_here,
        (select {{ counts }} from {{ counted_in }}) as rows_told
)
where rows_here != rows_told

{% endtest %}
